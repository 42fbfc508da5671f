"""JupyterLab itself, in a real browser."""
