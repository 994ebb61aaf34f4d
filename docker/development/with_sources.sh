#!/bin/bash
# Takes up the sources mounted at /sources, then runs a command in the workspace's environment.
#
# They are copied, not mounted in place: what the host compiled (*.so) is for another machine and must not be seen here,
# and what is compiled here has no place in folders that cannot be written. Only what differs in content is written, so
# `make build` compiles what was changed and nothing else. The environment is the image's: after a change of what it was
# made from the image is built anew.
set -e
sources=(config gimbal_driver_pkg interfaces_pkg launch models ros_support_pkg semantic_detection_pkg simulation_pkg
    tools vlm_bridge_pkg)
# In the image under another name, or not taken up.
of_the_image=(Makefile colcon.meta requirements requirements.lock tools/setup docker/entrypoint.sh
    docker/development/with_sources.sh)
build_folders=(build install)
half_done=.sources_half_taken_up

check_that_they_can_be_read() {
    for name in "${sources[@]}"; do
        [[ -r "/sources/$name" && -x "/sources/$name" ]] && continue
        echo "error: /sources/$name is no folder that user $(id -u) can read: mount a checkout at /sources, and let" \
            "others read it (chmod -R go+rX)" >&2
        exit 2
    done
}

say_what_only_a_new_image_has() {
    local differ=() here
    for name in "${of_the_image[@]}"; do
        here=$name
        [[ $name != docker/* ]] || here=/usr/local/bin/$(basename "$name" .sh)
        diff -rq --exclude=__pycache__ "/sources/$name" "$here" > /dev/null 2>&1 || differ+=("$name")
    done
    [[ ${#differ[@]} == 0 ]] ||
        echo "warn: the image is of another ${differ[*]}: docker compose -f docker/compose.dev.yaml up --build" >&2
}

if [[ -e /sources ]]; then
    cd /opt/semantic-detection
    check_that_they_can_be_read
    say_what_only_a_new_image_has
    # A container that was stopped amid this may have left half a file, which is newer than its source.
    if [[ -e $half_done ]]; then
        mkdir -p "${build_folders[@]}"
        find "${build_folders[@]}" semantic_detection_pkg -newer "$half_done" -type f \
            \( -not -path 'semantic_detection_pkg/*' -o -name '*.so' -o -path '*/compiled/*.c' \) -delete
    fi
    touch "$half_done"
    rsync --recursive --links --perms --checksum --inplace --delete --delete-delay \
        --exclude='*.so' --exclude='compiled/*.c' --exclude='__pycache__' --exclude='*.egg-info' --exclude='.*' \
        --exclude='/tools/setup' "${sources[@]/#//sources/}" .
    make build
    rm "$half_done"
fi
exec entrypoint "$@"
