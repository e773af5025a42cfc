"""The forms that set up an account and its folders and saved searches."""
