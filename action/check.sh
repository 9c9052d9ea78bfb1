#!/usr/bin/env bash
# Run the check once for all formats, then the plan; leave the exit code and the files as outputs of the step.
# Environment: ALEMBIC_ARGUMENTS, ARGUMENTS, BASE, FOLDER (for the reports), GITHUB_OUTPUT.
set -uo pipefail

report="$FOLDER/pgcheck.md" sarif="$FOLDER/pgcheck.sarif"
rm -f "$report" "$sarif" "$FOLDER/pgcheck-plan.md"
read -ra before <<<"${ALEMBIC_ARGUMENTS:-}"
read -ra flags <<<"${ARGUMENTS:-}"
[ -z "${BASE:-}" ] || flags+=(--diff-base "$BASE")

alembic ${before[@]+"${before[@]}"} pgcheck ${flags[@]+"${flags[@]}"} \
  --format github --format "sarif=$sarif" --format "markdown=$report" 2>"$FOLDER/pgcheck.err"
code=$?
cat "$FOLDER/pgcheck.err" >&2
if [ -e "$report" ]; then
  if alembic ${before[@]+"${before[@]}"} pgcheck ${flags[@]+"${flags[@]}"} --plan markdown >"$FOLDER/pgcheck-plan.md"; then
    { printf '\n### What a deployment locks\n\n'; sed 's/^### /#### /' "$FOLDER/pgcheck-plan.md"; } >>"$report"
  fi
else
  { printf '### pgcheck could not be done\n\n```text\n'; grep -v '```' "$FOLDER/pgcheck.err" | tail -n 40; printf '```\n'; } >"$report"
fi
[ -e "$sarif" ] || sarif=""
{ echo "exit-code=$code"; echo "report=$report"; echo "sarif=$sarif"; } >>"$GITHUB_OUTPUT"
