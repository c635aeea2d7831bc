"""What a scene is made of: where things stand, what is sent, how it travels, what a receiver and its clock make of it."""
