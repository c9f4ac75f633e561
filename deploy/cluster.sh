#!/usr/bin/env bash
# The platform on a Kubernetes cluster: build its image, bring that there, install the chart, test it, remove all of it.
#
#     deploy/cluster.sh image                  build; prints the image's size
#     deploy/cluster.sh bring                  build, load, and print the image's tag: one to upgrade to
#     deploy/cluster.sh up [HELM ARGUMENTS]    build, load, install or upgrade, and wait until all is ready
#     deploy/cluster.sh test                   place an order and check the laws, in the cluster
#     deploy/cluster.sh down                   remove the release and its namespace, data and keys included
#
# kubectl's current context says which cluster. PROFILE: small, split, durable, external; NAMESPACE, RELEASE: orderly. CLUSTER names
# a tool that can `load` an archive, where it is neither kind nor minikube; BUILDER: docker, podman, buildah; BUILD_ARGS: more for it.
set -euo pipefail
cd "$(dirname "$0")/.."

chart=deploy/helm/orderly
release=${RELEASE:-orderly}
namespace=${NAMESPACE:-orderly}
profile=${PROFILE:-small}
repository=${REPOSITORY:-orderly}

say() { printf 'cluster: %s\n' "$*" >&2; }
give_up() { say "$@"; exit 1; }

builder() {
    for found in ${BUILDER:-docker podman buildah}; do
        if "$found" info >/dev/null 2>&1; then echo "$found"; return; fi # a docker without a daemon builds nothing
    done
    give_up "a running docker, podman or buildah is needed to build the image"
}

# Prints the image's name; its tag is of what is in it, so that what has changed is rolled out.
image() {
    local with build=(build) id began=$SECONDS revision
    with=$(builder)
    [ "$with" != buildah ] || build=(bud --layers --isolation chroot)
    revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    say "building with $with"
    # shellcheck disable=SC2086 # BUILD_ARGS are words
    "$with" "${build[@]}" ${BUILD_ARGS:-} --build-arg "REVISION=$revision" -t "$repository:build" . >&2 || give_up "the build failed"
    id=$("$with" images --format '{{.ID}} {{.Size}}' "$repository:build")
    id=${id%%$'\n'*} # the first line; other names may have the same tag
    "$with" tag "$repository:build" "$repository:${id%% *}"
    say "built $repository:${id%% *}, ${id#* }, in $((SECONDS - began)) s"
    echo "${id%% *}"
}

load() { # TAG
    local with context archive name=$repository:$1
    with=$(builder)
    context=$(kubectl config current-context) || give_up "kubectl has no cluster: start one, with kind or minikube for example"
    say "bringing it to $context"
    case $context in
    kind-*) kind load docker-image "$name" --name "${context#kind-}" >&2 ;;
    minikube) minikube image load "$name" >&2 ;;
    *)
        [ -n "${CLUSTER:-}" ] || give_up "$context is neither kind nor minikube: push $name to a registry it knows, and use helm"
        archive=$(mktemp -d)
        [[ $name == */* ]] || name=docker.io/library/$name
        if [ "$with" = buildah ]; then
            buildah push --quiet "$repository:$1" "docker-archive:$archive/image.tar:$name" >&2
        else
            "$with" tag "$repository:$1" "$name" && "$with" save -o "$archive/image.tar" "$name" >&2
        fi
        "$CLUSTER" load "$archive/image.tar" >&2
        rm -r "$archive"
        ;;
    esac
}

bring() { # leaves it in $tag
    tag=$(image)
    load "$tag"
}

up() {
    local tag='' values=$chart/values-$profile.yaml began=$SECONDS
    if [ "$profile" != small ]; then # which the chart is without any: what is said here stays said when its defaults change
        [ -f "$values" ] || give_up "there is no profile $profile"
        set -- --values "$values" "$@"
    fi
    bring
    kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace" >&2
    kubectl label --overwrite namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
    say "installing $release ($profile) in namespace $namespace, until all is ready"
    helm upgrade --install "$release" "$chart" --namespace "$namespace" \
        --set-string image.repository="$repository" --set-string image.tag="$tag" --wait --timeout 10m "$@" ||
        { kubectl get pods --namespace "$namespace" >&2; give_up "it is not ready: kubectl logs and describe tell why"; }
    say "ready after $((SECONDS - began)) s"
}

verb=${1:-help}
[ $# -eq 0 ] || shift
case $verb in
image) image >/dev/null ;;
bring)
    bring
    echo "$tag"
    ;;
up) up "$@" ;;
test) helm test "$release" --namespace "$namespace" --logs --timeout 5m "$@" ;;
down)
    helm uninstall "$release" --namespace "$namespace" --ignore-not-found --wait --timeout 3m
    kubectl delete namespace "$namespace" --ignore-not-found --timeout 3m
    ;;
*) sed -n '2,10s/^# \{0,1\}//p' "$0" ;;
esac
