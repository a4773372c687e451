//! What the fuzz targets in `tests` share: a site without a socket, edits of real values, and what no
//! answer may do. `README.md` has the commands.

// Its engine is linked wherever the crate is instrumented.
use bolero as _;

mod edits;
mod issuer;
mod json;
mod reply;
mod site;

pub use self::{
    edits::{Edit, Piece, edited, edited_text, header_value, percent_encoded},
    issuer::{Document, Issuer, now},
    json::{JsonEdit, edit_json},
    reply::{Reply, failures_of_callback, send, send_allowing, stays_on},
    site::{BYSTANDER, Kind, Site, VICTIM, app_of, pages, run},
};
