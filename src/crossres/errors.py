"""The one exception that is meant for a person."""


class UserError(Exception):
    """A bad input or setting: one line that says which file or key, what is wrong and what to do."""
