#!/usr/bin/env bash
# Builds the images of the three steps and pushes them to ECR: REGION=… ACCOUNT=… VERSION=… push.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
registry="${ACCOUNT:?the number of the account}.dkr.ecr.$REGION.amazonaws.com"
: "${VERSION:?the version, a tag that was never pushed}"
aws ecr get-login-password | docker login --username AWS --password-stdin "$registry"
for step in $steps; do
  STEP="$step" call_once ecr create-repository repository.json
  image="$registry/sluice-impressions-$step:$VERSION"
  docker build --platform linux/amd64 --file "$here/$step.Dockerfile" --tag "$image" "$root"
  docker push "$image"
done
