"""WHAT: frozen values that say what is built, trained and compared. Imports neither torch nor textual."""
