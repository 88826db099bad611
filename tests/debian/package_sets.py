"""What real applications install from Debian."""

SETS = tuple(
    tuple(line.split())
    for line in """
libpq5
libgl1
ffmpeg
libmagic1
libxml2
libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
libnss3 libnspr4 libatk1.0-0 libatk-bridge2.0-0 libcups2 libdrm2 libxkbcommon0 libxcomposite1 \
libxdamage1 libxfixes3 libxrandr2 libgbm1 libasound2 libpango-1.0-0 libcairo2
fonts-liberation
fonts-noto-core
locales
tzdata
curl
git
wget
openssh-client
imagemagick
ghostscript
poppler-utils
tesseract-ocr
libmariadb3
default-mysql-client
unixodbc
libgdal32
gdal-bin
libgeos-c1v5
libproj25
libvips42
graphviz
libsndfile1
libgomp1
libopenblas0
python3
build-essential
gcc
nodejs
openjdk-17-jre-headless
default-jre-headless
libreoffice-writer
redis-tools
postgresql-client
sqlite3
gnupg
procps
iputils-ping
dnsutils
vim-tiny
less
jq
unzip
xz-utils
ca-certificates
libzbar0
libcairo2
libmagickwand-6.q16-6
chromium
chromium-driver xvfb
firefox-esr
wkhtmltopdf
pandoc
inkscape
texlive-latex-extra
postgresql
mariadb-server
apache2 libapache2-mod-php
nginx supervisor
cron logrotate
exim4
mailutils
systemd
docker.io
python3-numpy python3-scipy python3-pandas
libhdf5-dev libssl-dev libldap2-dev
libgtk-3-0 libsdl2-2.0-0 libpulse0
libblas3 liblapack3
openmpi-bin
r-base-core
octave
qgis
gnome-core
kde-standard
libtesseract-dev
sa-exim
notmuch-vim
homer-api
wireguard
""".strip().splitlines()
)
