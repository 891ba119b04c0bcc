"""What every error response of the service must be."""


def refused(response, status):
    """The problem in a response, once the response is what a problem must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) <= 4096
    problem = response.json()
    assert {"type", "title", "status", "detail"} <= problem.keys() <= {
        "type", "title", "status", "detail", "errors"
    }  # fmt: skip
    assert problem["status"] == status
    assert problem["detail"].endswith(".")
    return problem
