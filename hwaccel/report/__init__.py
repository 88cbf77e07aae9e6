"""What was measured, what was estimated, and a page that shows it."""
