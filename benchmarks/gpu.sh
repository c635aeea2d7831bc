#!/bin/sh
# Proves and measures Heimdall on one card, in under nine minutes: the tests marked `gpu`, then `heimdall benchmark gpu`.
#
#   OUT=results sh benchmarks/gpu.sh                  # on the card
#   OUT=results sh benchmarks/gpu.sh --device cpu     # small, on a CPU: shows that the script runs
#
# Needs no network, no MLflow and no installation of Heimdall: it runs from this source tree. PYTHON names the interpreter.
# Leaves in $OUT: tests.json, tests.xml, tests.txt, benchmark.json, benchmark.txt, doctor.json, machine.json.
# Exit code: 0 all passed, 1 something failed (everything that could be run was), 2 the call or the installation is wrong.
set -u
PYTHON=${PYTHON:-python3}
OUT=${OUT:-out/gpu}
DEVICE=gpu
while [ $# -gt 0 ]; do
    case $1 in
        --device) DEVICE=${2:-}; shift 2 || exit 2 ;;
        *) echo "gpu.sh: unknown option $1; there is --device gpu|cpu" >&2; exit 2 ;;
    esac
done
case $DEVICE in gpu | cpu) ;; *) echo "gpu.sh: --device is gpu or cpu, not '$DEVICE'" >&2; exit 2 ;; esac

cd "$(dirname "$0")/.." || exit 2
mkdir -p "$OUT" || exit 2
OUT=$(cd "$OUT" && pwd)
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" MLFLOW_TRACKING_URI=off
LIMIT_S=${LIMIT_S:-260}
if [ "$DEVICE" = cpu ]; then
    export HEIMDALL_TEST_CARD=cpu
    RECIPES=quick
else
    RECIPES=quick,base,large
fi

"$PYTHON" - "$OUT/machine.json" <<'PYTHON_END' || exit 2
import importlib.metadata as metadata, json, platform, sys
needed = """torch timm lightning onnx onnxscript onnxruntime numpy scipy matplotlib rich typer pydantic jsonschema
pymap3d geographiclib array-api-compat SigMF pytest hypothesis""".split()
found, missing = {}, []
for name in needed:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        missing.append(name)
if sys.version_info < (3, 11):
    sys.exit("gpu.sh: needs Python 3.11 or newer; name it with PYTHON=...")
if missing:
    sys.exit("gpu.sh: not installed: " + ", ".join(missing) + "\n  pip install " + " ".join(missing))
release = tuple(int(part) for part in found["torch"].split("+")[0].split(".")[:2])
if not (2, 10) <= release <= (2, 14):
    print(f"gpu.sh: torch {found['torch']} is not one of 2.10 to 2.14, with which this was written", file=sys.stderr)
json.dump({"python": platform.python_version(), "packages": found}, open(sys.argv[1], "w"), indent=1)
PYTHON_END

failed=0
"$PYTHON" -m heimdall.doctor --json > "$OUT/doctor.json" 2> "$OUT/doctor.txt" || [ "$DEVICE" = cpu ] || failed=1

# A warning of another release of torch is no failure of the card, so they are shown and do not count.
timeout "$LIMIT_S" "$PYTHON" -m pytest tests/gpu -m gpu -o filterwarnings=default -p no:cacheprovider \
    --durations=30 --junitxml "$OUT/tests.xml" > "$OUT/tests.txt" 2>&1 || failed=1
tail -n 25 "$OUT/tests.txt"
"$PYTHON" - "$OUT" <<'PYTHON_END' || failed=1
import json, sys, xml.etree.ElementTree as tree
out = sys.argv[1]
try:
    cases = list(tree.parse(f"{out}/tests.xml").iter("testcase"))
except (OSError, tree.ParseError):
    sys.exit("gpu.sh: the tests did not end in time or did not start; see tests.txt")
def row(case):
    result = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
    said = None if result is None else (result.get("message") or "")[:600]
    return {"test": f"{case.get('classname')}::{case.get('name')}", "seconds": float(case.get("time")),
            "result": "passed" if result is None else result.tag, "said": said}
rows = [row(case) for case in cases]
json.dump(rows, open(f"{out}/tests.json", "w"), indent=1)
sys.exit(0 if any(each["result"] == "passed" for each in rows) else "gpu.sh: no test was run on a card")
PYTHON_END

timeout "$LIMIT_S" "$PYTHON" -m heimdall benchmark gpu --device "$DEVICE" --recipes "$RECIPES" --json \
    > "$OUT/benchmark.json" 2> "$OUT/benchmark.txt" || failed=1
cat "$OUT/benchmark.txt" "$OUT/benchmark.json"
exit $failed
