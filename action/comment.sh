#!/usr/bin/env bash
# Write the report as a comment on the pull request, in place of the one that an earlier run left.
# Environment: REPORT (a file), REPOSITORY (owner/name), NUMBER (of the pull request), GH_TOKEN.
set -euo pipefail

mark='<!-- alembic-pgpatterns -->'
body=$(mktemp)
# GitHub takes 65,536 characters; a report is at most 60,000, and the plan comes after it.
{ echo "$mark"; head -c 64000 "$REPORT" | iconv -c -f utf-8 -t utf-8; } >"$body"

# shellcheck disable=SC2016  # the $ belongs to jq
id=$(gh api --paginate "repos/$REPOSITORY/issues/$NUMBER/comments" \
  --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$mark\"))) | .id" | head -n 1)
if [ -n "$id" ]; then
  gh api --silent --method PATCH "repos/$REPOSITORY/issues/comments/$id" --field "body=@$body"
else
  gh api --silent --method POST "repos/$REPOSITORY/issues/$NUMBER/comments" --field "body=@$body"
fi
