"""The live layer's questions, answered from the stores."""
