"""Evidence from IQ: arrival times and levels of receivers that recorded the same transmission."""
