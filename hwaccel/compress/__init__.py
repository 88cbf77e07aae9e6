"""Make a trained model smaller before it becomes hardware; every choice is made by the loss."""
