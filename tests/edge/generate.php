<?php
// Signs a message as PHP applications do for Cloudflare: secret, message and timestamp on standard input, as JSON.
$asked = json_decode(stream_get_contents(STDIN), true);
$made = [];
foreach ($asked as [$secret, $message, $at]) {
    $made[] = $at . "-" . urlencode(base64_encode(hash_hmac("sha256", $message . $at, $secret, true)));
}
echo json_encode($made);
