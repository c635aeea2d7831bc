#!/opt/heimdall/bin/python
"""Print what the server inside this container answers, exit 0 when it is 200: `healthcheck.py PORT PATH`.

http.client rather than urllib: a proxy in the environment must not be asked for the loopback.
"""

import http.client
import sys


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode(errors="replace")


def main(port: int, path: str) -> int:
    try:
        status, body = ask(port, path)
    except (OSError, http.client.HTTPException) as error:
        print(f"{path} on port {port}: {error}")
        return 1
    print(body)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
