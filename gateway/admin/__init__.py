"""The admin channel: operators sign in, watch, and give orders over /admin/ws."""
