"""What else do Cloudflare's edge and an origin share, besides the assertion?"""
