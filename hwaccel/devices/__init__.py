"""Several devices: a network split over them, or a design made several times."""
