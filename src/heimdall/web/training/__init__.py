"""Trainings: started, followed, stopped."""
