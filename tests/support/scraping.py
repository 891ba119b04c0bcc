"""The service's Prometheus metrics as a dictionary."""

from prometheus_client.parser import text_string_to_metric_families as parse_text

REQUESTS = "housing_http_requests_total"


def scrape(client, accept="text/plain", parse=parse_text):
    """The value of each sample, by its name and labels."""
    text = client.get("/metrics", headers={"accept": accept}).text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }
