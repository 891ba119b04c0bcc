"""python -m tests.fuzz.openapi: runs schemathesis with /openapi.json against a real server."""

import os
import subprocess
import sys
from pathlib import Path

from tests.fuzz.requests import TOKEN
from tests.support.servers import serving

HOOKS = "tests.fuzz.schemathesis_hooks"
EXCLUDED_CHECK = "positive_data_acceptance"  # a schema cannot describe a CSV with eight columns


def run_schemathesis(
    *options: str, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run all phases and all checks except one."""
    with serving("--default", "notebook", environment={"HOUSING_ADMIN_TOKEN": TOKEN}) as server:
        return subprocess.run(
            [
                *(
                    Path(sys.executable).with_name("schemathesis"),
                    "run",
                    f"{server.url}/openapi.json",
                ),
                *("--exclude-checks", EXCLUDED_CHECK, "--header", f"Authorization: Bearer {TOKEN}"),
                *("--no-color", *options),
            ],
            env={**os.environ, "SCHEMATHESIS_HOOKS": HOOKS},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


if __name__ == "__main__":
    finished = run_schemathesis("--max-examples", "300", *sys.argv[1:])
    print(finished.stdout, finished.stderr)
    sys.exit(finished.returncode)
