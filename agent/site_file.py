"""The site's file as this node's settings name it."""

from agent.settings import SiteSettings
from shared.errors import SettingInvalid
from shared.site import Site, load_site


def site_of(settings: SiteSettings) -> Site:
    """The site's file, which must describe the site that the settings name."""
    site = load_site(settings.site_file)
    if site.id != settings.site:
        raise SettingInvalid(
            f"{settings.site_file}: describes site {site.id!r}, and the settings of this node say site = "
            f"{settings.site!r}; correct the one that is wrong"
        )
    return site
