"""The verbs: a module for each group, a coroutine for each verb, which takes the invocation and returns the status."""
