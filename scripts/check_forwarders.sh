#!/usr/bin/env bash
# check_forwarders.sh SOURCE_DIR: every virtual method of a plugin interface is forwarded by its guard (core/src/plugin/guard.h). One
# that is forgotten would run the interface's default in place of the plugin's own, and nobody would notice.
set -euo pipefail
cd "$1"

# "Interface method" of every virtual method in the headers of interfaces.
declared() {
  awk '/^class QFW_API/ { class = $3 } /^ *virtual / && !/~/ { sub(/\(.*/, ""); sub(/.*[ *&]/, ""); print class, $0 }' \
    $(grep -l 'static constexpr const char\* kind' core/include/qfw/*.h)
}
# The same of every method that a guard overrides.
forwarded() {
  awk '/^class Guarded.* : public (Guard<)?[A-Z]/ && !/public GuardedEnd/ { class = $0; sub(/.*public (Guard<)?/, "", class); sub(/[> ].*/, "", class) }
       /^  [^ ].*[a-z_]+\(/ && !/call\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *&]/, "", name) }
       /override/ { print class, name }' core/src/plugin/guarded_*.cc
}

count=$(declared | sort -u | wc -l)
missing=$(comm -23 <(declared | sort -u) <(forwarded | sort -u))
echo "$count virtual methods; without a forwarder: ${missing:-none}"
[ "$count" -gt 40 ] && [ -z "$missing" ]
