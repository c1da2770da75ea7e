#!/usr/bin/env bash
# Makes roles, logs, compute environment, queue and job definitions; again after a new VERSION:
# REGION=… ACCOUNT=… VERSION=… BUCKET=… PREFIX=… SUBNET=… SECURITY_GROUP=… setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for role in job execution; do
  call_once iam create-role "role-$role.json"
  call iam put-role-policy "policy-$role.json"
done
call_once logs create-log-group log-group.json
call_once batch create-compute-environment compute-environment.json
state=""
for _ in $(seq 60); do
  state="$(aws batch describe-compute-environments --compute-environments sluice-impressions \
    --query 'computeEnvironments[0].status' --output text)"
  [ "$state" = VALID ] && break
  sleep 5
done
[ "$state" = VALID ] || { echo "the compute environment is $state, expected VALID" >&2; exit 1; }
call_once batch create-job-queue job-queue.json
for step in $steps; do
  call batch register-job-definition "job-definition-$step.json"
done
