#!/usr/bin/env bash
# Starts the steps for a day, each after the one before has succeeded:
# REGION=… submit.sh s3://bucket/FILE.csv.gz s3://bucket/DIMENSION.csv [s3://bucket/CHANGED.csv]
# With a third file the update follows. Prints a line a job: step and job id.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[ $# -ge 2 ] && [ $# -le 3 ] || { sed -n '3,4s/^# //p' "$0" >&2; exit 2; }

# submit STEP PARAMETER VALUE [JOB]: prints the id of the job, which waits for JOB.
submit() {
  local after=()
  [ $# -lt 4 ] || after=(--depends-on "jobId=$4")
  aws batch submit-job --job-name "sluice-impressions-$1" --job-queue sluice-impressions \
    --job-definition "sluice-impressions-$1" --parameters "$2=$3" "${after[@]}" \
    --query jobId --output text
}

partition="$(submit partition file "$1")"
echo "partition $partition"
join="$(submit join dimension "$2" "$partition")"
echo "join $join"
if [ $# -eq 3 ]; then
  echo "update $(submit update dimension "$3" "$join")"
fi
