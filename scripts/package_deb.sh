#!/usr/bin/env bash
# package_deb.sh BUILD_DIRECTORY: build/package/duckherder_VERSION_amd64.deb, of what `make package` has laid out.
set -euo pipefail
build=$1
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
laid_out=build/package/duckherder-$version-linux_amd64
root=build/package/deb
rm -rf "$root"
umask 022
mkdir -p "$root"/{DEBIAN,etc/duckherder,usr/bin,usr/lib/duckherder,usr/lib/systemd/system,usr/share/doc/duckherder}

# The program and the extension find their libraries in lib/ beside themselves.
cp -r "$laid_out"/{duckherder,duckherder.duckdb_extension,lib} "$root/usr/lib/duckherder/"
ln -s ../lib/duckherder/duckherder "$root/usr/bin/duckherder"
install -m 644 deploy/systemd/*.service "$root/usr/lib/systemd/system/"
install -m 644 deploy/systemd/*.conf "$root/etc/duckherder/"
install -m 644 README.md "$root/usr/share/doc/duckherder/"
install -m 644 LICENSE "$root/usr/share/doc/duckherder/copyright"
cp -r "$laid_out/licenses" "$root/usr/share/doc/duckherder/"

install -m 755 deploy/debian/{postinst,prerm,postrm} "$root/DEBIAN/"
install -m 644 deploy/debian/conffiles "$root/DEBIAN/"
# The C library of this machine is the oldest one that the products are known to work with.
glibc=$(ldd --version | sed -n '1s/.* //p')
size=$(du -k -s --exclude=DEBIAN "$root" | cut -f1)
sed -e "s/@version@/$version/" -e "s/@size@/$size/" -e "s/@glibc@/$glibc/" deploy/debian/control.in \
    >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)

# xz would save a tenth and take four minutes
out=build/package/duckherder_${version}_amd64.deb
dpkg-deb --root-owner-group -Zzstd -z12 --build "$root" "$out" >/dev/null
rm -rf "$root"
echo "$out"
