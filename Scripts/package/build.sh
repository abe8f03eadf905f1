# Run by package-deb.sh in a mount namespace of its own, in which the work folder is on /mnt: builds the program,
# with further options of swift build.
#
# SOURCE is on /mnt/source, what is built on /mnt/build. The same paths in every build give the same bytes:
# prefix maps do not reach #file of Swift, which packages we use put into their messages.
set -euo pipefail
work=$1
shift
mount --bind "$work" /mnt
cd /mnt/source
# Debian's compiler flags for what parses foreign data in C++; the kernels in C stay as they were measured.
hardening=(-Xcxx -fstack-protector-strong -Xcxx -D_FORTIFY_SOURCE=2 -Xcxx -D_GLIBCXX_ASSERTIONS)
link=(-Xlinker --build-id=sha1 -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now)
exec swift build -c release --product segmentd --scratch-path /mnt/build "$@" \
  --static-swift-stdlib --disable-local-rpath -Xswiftc -gnone -Xcc -g0 "${hardening[@]}" "${link[@]}"
