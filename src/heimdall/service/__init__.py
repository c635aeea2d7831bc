"""The training service: jobs in a database, a Celery worker that supervises them, health, and the API."""
