"""Tables as people read them: formatted text, words to the left, numbers to the right, nothing cut short."""
