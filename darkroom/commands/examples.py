"""How a command's help shows calls to copy."""


def examples(*calls: str) -> str:
    """The lines as they stand: click rewraps what does not begin with a backspace."""
    return "\n".join(["\b", "Examples:", *(f"  {call}" for call in calls)])
