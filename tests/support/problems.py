"""The format of the service's error responses."""


def problem_of(response, status):
    """Check that a response is a well-formed problem; returns its JSON."""
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
