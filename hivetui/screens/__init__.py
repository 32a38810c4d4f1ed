"""The screens, one a module or package with its style sheet beside it, and the dialogs over them."""
