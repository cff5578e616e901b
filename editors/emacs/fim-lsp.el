;;; fim-lsp.el --- Ghost text from a fill-in-the-middle model -*- lexical-binding: t -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "29.1") (lsp-mode "10.0.0"))
;; Keywords: languages, convenience
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Registers the language server fim-lsp as an add-on, beside whatever other server a buffer has.
;; lsp-mode draws its ghost text; this file asks for it sooner, keeps it while you type through it,
;; accepts parts of it, shows the server's state in the mode line and has a command for whatever the
;; server can be asked.  README.md in this folder says how to set it up.

;;; Code:

(require 'lsp-mode)
(require 'lsp-inline-completion nil t)
(require 'map)

(unless (featurep 'lsp-inline-completion)
  (error "fim-lsp needs lsp-mode 10 or newer: %s"
         "M-x package-refresh-contents, then M-x package-install RET lsp-mode"))

(defgroup fim-lsp nil
  "Ghost text from a fill-in-the-middle model."
  :group 'lsp-mode)

(defcustom fim-lsp-command '("fim-lsp")
  "The server: a program and its arguments."
  :type '(repeat string))

(defcustom fim-lsp-settings nil
  "The server's settings as a plist, for instance
\(:trigger (:disabledLanguages [\"markdown\"])).
`lsp-workspace-restart' applies a change."
  :type 'plist)

(defcustom fim-lsp-idle-delay 0.1
  "Seconds without a key before ghost text is asked for.
The server pauses by itself where an answer costs a call."
  :type 'number)

(defvar fim-lsp-mode)

;;; The mode line

(defvar fim-lsp--state nil
  "What the server last said that it is doing, as a symbol.")

(defvar fim-lsp--message ""
  "What the server last said that is wrong; empty where all is well.")

(defvar fim-lsp--reminder nil
  "The timer that says so again; nil where all is well.")

(defvar fim-lsp--budget 0
  "The part of the minute's tokens that is used, from 0 to 1.")

(defconst fim-lsp--signs
  '((thinking . "…") (limited . "⏸") (offline . "⚠") (error . "✗") (off . " off")))

(defun fim-lsp--lighter ()
  "The mode line's word: \"fim\" and a sign where there is something to know.
From half on, it tells how much of the minute's tokens is used."
  (concat " fim"
          (or (alist-get fim-lsp--state fim-lsp--signs)
              (if (string-empty-p fim-lsp--message) "" "!")) ; it works, but a setting does not
          (and (>= fim-lsp--budget 0.5) (format " %.0f%%%%" (* 100 fim-lsp--budget)))))

(defun fim-lsp--remind ()
  "Say what is wrong with the settings, where nothing else is being said."
  (unless (or (current-message) (active-minibuffer-window))
    (let ((message-log-max nil))
      (message "fim-lsp: %s" fim-lsp--message))))

(defun fim-lsp--status (_workspace params)
  "Keep the state and the budget that PARAMS of `fim/status' name."
  (setq fim-lsp--state (intern (lsp-get params :state))
        fim-lsp--budget (or (lsp-get params :budget_used) 0))
  (setq fim-lsp--message (if (eq fim-lsp--state 'idle) (or (lsp-get params :message) "") ""))
  (when fim-lsp--reminder
    (cancel-timer fim-lsp--reminder))
  (setq fim-lsp--reminder
        (unless (string-empty-p fim-lsp--message)
          ;; At each rest: what is said at the start, others write over at once.
          (run-with-idle-timer 1 t #'fim-lsp--remind)))
  (force-mode-line-update t))

;;; Asking, and typing through

(defvar-local fim-lsp--timer nil)

(defvar-local fim-lsp--before nil
  "Before the command that runs now: (POINT BUFFER-SIZE GHOST-TEXT).
Nil without ghost text.")

(defun fim-lsp--item ()
  "The suggestion on the screen, or nil."
  (and (lsp-inline-completion--active-p)
       (elt lsp-inline-completion--items lsp-inline-completion--current)))

(defun fim-lsp--text (item)
  "The plain text that ITEM inserts at point; nil where it does anything else."
  (let ((text (lsp-get item :insertText))
        (range (lsp-get item :range)))
    (and (stringp text)
         range
         (equal (lsp-get (lsp-get range :start) :character)
                (lsp-get (lsp-get range :end) :character))
         text)))

(defun fim-lsp--point ()
  "Where ghost text belongs.
At the end of a line lsp-mode puts the cursor before it."
  (if (lsp-inline-completion--active-p) lsp-inline-completion--start-point (point)))

(defun fim-lsp--show-items (items &optional number)
  "Show the first of ITEMS, or the one of NUMBER; nothing without ITEMS."
  (let ((point (fim-lsp--point)))
    (lsp-inline-completion--clear-overlay)
    (goto-char point)
    (when items
      (setq lsp-inline-completion--items items
            lsp-inline-completion--current (or number 0)
            lsp-inline-completion--start-point point)
      (lsp-inline-completion-show-overlay))))

(defun fim-lsp--show (text)
  "Show TEXT as ghost text at point."
  (pcase-let* (((map :line :character) (lsp--cur-position))
               (here (lsp-make-position :line line :character character)))
    (fim-lsp--show-items
     (list (lsp-make-inline-completion-item
            :insert-text text :range? (lsp-make-range :start here :end here))))))

(defun fim-lsp--before-command ()
  "Remember what is shown; lsp-mode takes it off the screen at the next key."
  (let* ((item (fim-lsp--item))
         (text (and item (fim-lsp--text item))))
    (setq fim-lsp--before
          (and text (list lsp-inline-completion--start-point (buffer-size) text)))))

(defun fim-lsp--after-command ()
  "Show the rest of a suggestion whose beginning alone was just inserted."
  (pcase-let ((`(,start ,size ,text) fim-lsp--before))
    (when (and start (< start (point)))
      (let ((typed (buffer-substring-no-properties start (point))))
        (when (and (= (+ size (length typed)) (buffer-size))
                   (string-prefix-p typed text)
                   (length> text (length typed)))
          (fim-lsp--show (substring text (length typed)))))))
  (setq fim-lsp--before nil))

(defun fim-lsp--changed (&rest _)
  "Ask as soon as there is no key for a moment."
  (fim-lsp--cancel-timer)
  (setq fim-lsp--timer
        (run-with-idle-timer fim-lsp-idle-delay nil #'fim-lsp--ask (current-buffer))))

(defun fim-lsp--cancel-timer ()
  (when fim-lsp--timer
    (cancel-timer fim-lsp--timer)
    (setq fim-lsp--timer nil)))

(defun fim-lsp--writing-p (buffer)
  "Whether somebody is writing in BUFFER, with nothing else in the way."
  (and (eq buffer (window-buffer))
       (not (minibufferp (window-buffer (selected-window))))
       (with-current-buffer buffer
         (and fim-lsp-mode
              (not buffer-read-only)
              (not completion-in-region-mode)
              (lsp-feature? "textDocument/inlineCompletion")
              (not (run-hook-with-args-until-success
                    'lsp-inline-completion-inhibit-predicates))))))

(defun fim-lsp--request (implicit callback)
  "Call CALLBACK with suggestions, unless the text changes first.
IMPLICIT is nil where somebody asks by hand.  lsp-mode's own command
would wait in a loop."
  (let* ((buffer (current-buffer))
         (point (fim-lsp--point))
         (here (save-excursion (goto-char point) (lsp--cur-position))))
    (lsp-request-async
     "textDocument/inlineCompletion"
     (lsp-inline-completion--params implicit nil here)
     (lambda (answer)
       (when (and (fim-lsp--writing-p buffer) (= point (fim-lsp--point)))
         (funcall callback (lsp-inline-completion--parse-items answer))))
     :mode 'tick :error-handler #'ignore :cancel-token 'fim-lsp)))

(defun fim-lsp--ask (buffer)
  "Ask for ghost text where somebody is writing in BUFFER."
  (when (fim-lsp--writing-p buffer)
    (with-current-buffer buffer
      (fim-lsp--request 'implicit #'fim-lsp--show-items))))

;;;###autoload
(define-minor-mode fim-lsp-mode
  "Ghost text while you type, in this buffer."
  :lighter (:eval (fim-lsp--lighter))
  (if fim-lsp-mode
      (progn
        (lsp-inline-completion-mode -1) ; it would ask a second time, later
        (add-hook 'pre-command-hook #'fim-lsp--before-command -50 t)
        (add-hook 'post-command-hook #'fim-lsp--after-command nil t)
        (add-hook 'after-change-functions #'fim-lsp--changed 50 t))
    (remove-hook 'pre-command-hook #'fim-lsp--before-command t)
    (remove-hook 'post-command-hook #'fim-lsp--after-command t)
    (remove-hook 'after-change-functions #'fim-lsp--changed t)
    (fim-lsp--cancel-timer)
    (lsp-inline-completion-cancel)))

(defun fim-lsp--ours-p (workspace)
  "Whether WORKSPACE is one of our server."
  (eq (lsp--client-server-id (lsp--workspace-client workspace)) 'fim-lsp))

(defun fim-lsp--configure ()
  "Switch ghost text on in a buffer that has the server."
  (when (seq-some #'fim-lsp--ours-p (lsp-workspaces))
    (fim-lsp-mode 1)
    (when (buffer-modified-p) ; typed before there was anybody to ask
      (run-with-timer fim-lsp-idle-delay nil #'fim-lsp--ask (current-buffer)))))

(defun fim-lsp--gone (workspace)
  "Switch ghost text off in the buffers whose server, that of WORKSPACE, has ended."
  (when (fim-lsp--ours-p workspace)
    (dolist (buffer (seq-filter #'buffer-live-p (lsp--workspace-buffers workspace)))
      (with-current-buffer buffer
        (fim-lsp-mode -1)))))

;;; Other suggestions

(defconst fim-lsp--tries 20 "How often to ask again for others, at intervals of 0.15 seconds.")

(defun fim-lsp--same-p (one other)
  "Whether the suggestions ONE and OTHER insert the same text."
  (equal (lsp-get one :insertText) (lsp-get other :insertText)))

(defun fim-lsp--other (step)
  "Show the suggestion STEP further on; ask for others if there is one alone."
  (unless (fim-lsp--item) (user-error "No ghost text here"))
  (if (length> lsp-inline-completion--items 1)
      (if (> step 0) (lsp-inline-completion-next) (lsp-inline-completion-prev))
    (message "Asking for other suggestions…")
    (fim-lsp--ask-for-others step fim-lsp--tries)))

(defun fim-lsp--ask-for-others (step tries)
  "Ask by hand until several suggestions have come, and go on by STEP.
The first request makes the server ask for them; they come one by one,
and after TRIES requests no more are expected."
  (fim-lsp--request
   nil
   (lambda (items)
     (cond ((length> items 1)
            (let ((shown (seq-position items (fim-lsp--item) #'fim-lsp--same-p)))
              (fim-lsp--show-items items (mod (+ (or shown -1) step) (length items)))))
           ((and (> tries 0) (fim-lsp--item))
            (run-with-timer 0.15 nil #'fim-lsp--ask-again
                            (current-buffer) (fim-lsp--point) step (1- tries)))
           (t (message "There is no other suggestion"))))))

(defun fim-lsp--ask-again (buffer point step tries)
  "Ask for others if BUFFER still shows a suggestion at POINT.
STEP and TRIES are those of `fim-lsp--ask-for-others'."
  (when (fim-lsp--writing-p buffer)
    (with-current-buffer buffer
      (when (and (fim-lsp--item) (= point (fim-lsp--point)))
        (fim-lsp--ask-for-others step tries)))))

(defun fim-lsp-next ()
  "Show the next suggestion."
  (interactive)
  (fim-lsp--other 1))

(defun fim-lsp-previous ()
  "Show the previous suggestion."
  (interactive)
  (fim-lsp--other -1))

;;; Accepting a part

(defun fim-lsp--accept (pattern)
  "Insert what PATTERN matches at the beginning of the ghost text; the rest stays."
  (let* ((item (or (fim-lsp--item) (user-error "No ghost text here")))
         (text (or (fim-lsp--text item) (user-error "Only the whole suggestion fits here")))
         (part (if (string-match pattern text) (match-string 0 text) text)))
    (lsp-inline-completion-cancel)
    (insert part)))

(defun fim-lsp-accept-word ()
  "Insert the ghost text's next word."
  (interactive)
  (fim-lsp--accept "\\`[ \t\n]*\\(?:[[:alnum:]_]+\\|[^[:alnum:]_ \t\n]+\\)"))

(defun fim-lsp-accept-line ()
  "Insert the ghost text up to the end of its next line."
  (interactive)
  (fim-lsp--accept "\\`\n*[^\n]*"))

;;; What can be asked of the server

(defun fim-lsp--run (command &rest table)
  "The text that the server answers to COMMAND with the plist TABLE."
  (let ((workspace (or (seq-find #'fim-lsp--ours-p (lsp-workspaces))
                       (seq-find #'fim-lsp--ours-p (lsp--session-workspaces (lsp-session)))
                       (user-error "No buffer has fim-lsp: start it with M-x lsp"))))
    (with-lsp-workspace workspace
      (lsp-request "workspace/executeCommand"
                   (list :command command
                         :arguments (vector `( :show :json-false ,@table
                                               ,@(when buffer-file-name
                                                   (list :uri (lsp--buffer-uri))))))))))

(defun fim-lsp--tell (text)
  "Say TEXT, a few lines, in the echo area."
  (message "%s" (string-replace ".; " "; " (string-replace "\n" "; " text))))

;;;###autoload
(defun fim-lsp-toggle ()
  "Switch ghost text off in all buffers, or on again."
  (interactive)
  (fim-lsp--tell (fim-lsp--run "fim.toggle")))

;;;###autoload
(defun fim-lsp-toggle-language ()
  "Switch ghost text off for this buffer's language, or on again."
  (interactive)
  (fim-lsp--tell (fim-lsp--run "fim.toggleLanguage")))

;;;###autoload
(defun fim-lsp-snooze (&optional minutes)
  "Suggest nothing for MINUTES, the prefix argument, or else for 10; 0 ends it."
  (interactive (list (and current-prefix-arg (prefix-numeric-value current-prefix-arg))))
  (fim-lsp--tell (fim-lsp--run "fim.snooze" :minutes (or minutes 10))))

;;;###autoload
(defun fim-lsp-forget ()
  "Forget what the model has said, so that it is asked anew."
  (interactive)
  (fim-lsp--tell (fim-lsp--run "fim.clearMemory")))

;;;###autoload
(defun fim-lsp-status ()
  "Say what the server is doing."
  (interactive)
  (fim-lsp--tell (fim-lsp--run "fim.status")))

;;;###autoload
(defun fim-lsp-why ()
  "Show the last requests of this buffer: why something was shown, or nothing."
  (interactive)
  (let ((text (fim-lsp--run "fim.why")))
    (with-help-window "*fim-lsp why*" (princ text))))

;;;###autoload
(defun fim-lsp-choose-model ()
  "Go on with another of the models that the endpoint offers."
  (interactive)
  (let ((models (string-lines (fim-lsp--run "fim.chooseModel"))))
    (if (and (length= models 1) (string-search " " (car models)))
        (fim-lsp--tell (car models))    ; there is no list, and this says why
      (fim-lsp--tell
       (fim-lsp--run "fim.chooseModel"
                     :model (completing-read "Which model should fim-lsp ask? " models))))))

(defvar-keymap fim-lsp-command-map
  :doc "What can be asked of the server, for a prefix key of your own."
  :prefix 'fim-lsp-command-map
  "b" #'fim-lsp-mode
  "f" #'fim-lsp-forget
  "i" #'fim-lsp-status
  "l" #'fim-lsp-toggle-language
  "m" #'fim-lsp-choose-model
  "s" #'fim-lsp-snooze
  "t" #'fim-lsp-toggle
  "w" #'fim-lsp-why)

;;; Setting up

(defun fim-lsp--if-several (command)
  "A binding for COMMAND while there is more than one suggestion."
  `(menu-item "" ,command
              :filter ,(lambda (it) (and (length> lsp-inline-completion--items 1) it))))

(defun fim-lsp--bind-keys ()
  "Bind keys that act while ghost text is on the screen, and only then."
  (let ((map lsp-inline-completion-active-map))
    (pcase-dolist (`(,key . ,command)
                   '(("TAB" . lsp-inline-completion-accept)
                     ("<tab>" . lsp-inline-completion-accept)
                     ("M-<right>" . fim-lsp-accept-word)
                     ("C-M-<right>" . fim-lsp-accept-line)
                     ("M-n" . fim-lsp-next)
                     ("M-p" . fim-lsp-previous)))
      (lsp-inline-completion--define-key map (kbd key) command 'keep))
    ;; lsp-mode takes the keys for moving up and down, too, even where there is nothing to choose.
    (keymap-set map "C-n" (fim-lsp--if-several #'lsp-inline-completion-next))
    (keymap-set map "C-p" (fim-lsp--if-several #'lsp-inline-completion-prev))))

(defun fim-lsp--check-program ()
  "Say that the program is missing, which lsp-mode keeps to itself beside another."
  (unless (executable-find (car fim-lsp-command))
    (display-warning
     'fim-lsp
     (format "There is no '%s' on the PATH that Emacs was started with; name it in `fim-lsp-command'."
             (car fim-lsp-command)))))

(defun fim-lsp--accepted (_action)
  "Do nothing: lsp-mode would wait for the server to hear of an accepted suggestion.")

;;;###autoload
(defun fim-lsp-setup ()
  "Start the server wherever lsp-mode is on, and bind the keys for its ghost text."
  (lsp-register-client
   (make-lsp-client
    :server-id 'fim-lsp
    :new-connection (lsp-stdio-connection (lambda () fim-lsp-command))
    :activation-fn #'always
    :add-on? t
    :multi-root t
    :priority -2
    :initialization-options (lambda () (and fim-lsp-settings (list :fim fim-lsp-settings)))
    :notification-handlers (lsp-ht ("fim/status" #'fim-lsp--status))
    :action-handlers (lsp-ht ("fim-lsp.accepted" #'fim-lsp--accepted))))
  (add-hook 'lsp-configure-hook #'fim-lsp--configure 90)
  (add-hook 'lsp-after-uninitialized-functions #'fim-lsp--gone)
  (fim-lsp--bind-keys)
  (if after-init-time
      (fim-lsp--check-program)
    (add-hook 'emacs-startup-hook #'fim-lsp--check-program)))

(provide 'fim-lsp)
;;; fim-lsp.el ends here
