"""The log view and what it is made of: store, filter, search, selection, painting."""
