"""Files that the service keeps: uploads, stored sessions, and run folders as people look at them."""
