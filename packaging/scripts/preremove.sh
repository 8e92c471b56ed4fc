#!/bin/sh
# An upgrade keeps the units running; only a removal stops them. dpkg says
# "remove", and rpm how many versions will be left.
set -e
if [ -d /run/systemd/system ] && { [ "$1" = remove ] || [ "$1" = 0 ]; }; then
	systemctl stop 'cfaudit-*' || true
fi
