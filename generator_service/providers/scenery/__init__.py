"""What the built-in fake provider paints: palettes, themes, brushes and scenes."""
