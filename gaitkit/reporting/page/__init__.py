"""The page behind `gaitkit report`: one HTML file that needs nothing but a browser."""
