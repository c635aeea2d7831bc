"""Recording receivers by address, and the fix of what they heard."""
