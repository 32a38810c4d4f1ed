"""The home screen: every agent, the selected one in detail, and what can be done with them."""
