"""The one exception that means "the input is wrong", as opposed to "the program is"."""


class SalutaryError(Exception):
    """A mistake the user can mend; its text is one line that names the setting, file or row."""
