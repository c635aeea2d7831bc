from heimdall.web.entry import Entry


def register(entry: Entry) -> None: ...
