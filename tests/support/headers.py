"""Request headers: an API key, and a W3C traceparent."""

KEY = "housing_" + "k" * 43
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def bearer(key):
    return {"authorization": f"Bearer {key}"}
