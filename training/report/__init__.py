"""The report beside a saved model: pictures of its errors and intervals on the test part."""
