# What the scripts of this folder share. In the environment: REGION, ACCOUNT, VERSION, BUCKET, PREFIX,
# SUBNET, SECURITY_GROUP, as far as a file names them.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
steps="partition join update"
export AWS_PAGER="" AWS_DEFAULT_REGION="${REGION:?the region, like eu-central-1}"

# call SERVICE OPERATION FILE ARGUMENT…: asks AWS for what FILE says.
call() {
  local input
  input="$(python3 "$here/fill.py" "$here/$3")"
  aws "$1" "$2" --cli-input-json "$input" "${@:4}"
}

# The same where it may be there already, from an earlier run that broke off.
call_once() {
  local said
  if ! said="$(call "$@" 2>&1)"; then
    case "$said" in
      *AlreadyExists* | *"already exists"*) ;;
      *) echo "$said" >&2; return 1 ;;
    esac
  fi
}
