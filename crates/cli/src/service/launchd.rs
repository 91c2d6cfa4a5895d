//! The property list of launchd that runs a node for its user on macOS. A template. Written for it and not yet seen there.

/// The list's text. A node that was told to stop stays stopped; one that broke is started again.
pub fn plist(mark: &str, label: &str, parlor: &str, home: &str) -> String {
    let words = [parlor, "--home", home, "node", "run"];
    let words: Vec<String> =
        words.iter().map(|word| format!("    <string>{}</string>\n", escaped(word))).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!-- {mark}; parlor service uninstall removes it. -->\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n\
         <dict>\n\
         \x20 <key>Label</key>\n\
         \x20 <string>{label}</string>\n\
         \x20 <key>ProgramArguments</key>\n\
         \x20 <array>\n{}\x20 </array>\n\
         \x20 <key>RunAtLoad</key>\n\
         \x20 <true/>\n\
         \x20 <key>KeepAlive</key>\n\
         \x20 <dict>\n\
         \x20   <key>SuccessfulExit</key>\n\
         \x20   <false/>\n\
         \x20 </dict>\n\
         \x20 <key>Umask</key>\n\
         \x20 <integer>63</integer>\n\
         </dict>\n\
         </plist>\n",
        words.concat()
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_each_word_as_one_string() {
        let plist = plist("mark", "org.parlor-room.parlor", "/opt/my parlor", "/h/a&<b>");
        assert!(plist.contains("<!-- mark;"), "{plist}");
        assert!(plist.contains("    <string>/opt/my parlor</string>\n    <string>--home</string>\n"));
        assert!(plist.contains("<string>/h/a&amp;&lt;b&gt;</string>"), "{plist}");
        assert!(plist.contains("<key>SuccessfulExit</key>\n    <false/>"), "{plist}");
        assert_eq!(plist.matches("<dict>").count(), plist.matches("</dict>").count());
    }
}
