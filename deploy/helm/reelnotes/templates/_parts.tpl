{{- /* What all our pods share. Each part is indented as it stands in a Deployment's or Job's pod. */ -}}

{{- define "reelnotes.pod" }}
      automountServiceAccountToken: false
      {{- with .Values.pullSecrets }}
      imagePullSecrets: {{ toJson . }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        runAsGroup: 1000
        fsGroup: 1000
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile:
          type: RuntimeDefault
      volumes:
        - name: tmp
          emptyDir:
            sizeLimit: 4Gi
        - name: secrets
          secret:
            secretName: {{ .Values.secret.name }}
            defaultMode: 0440
        - name: data
          {{- if .Values.persistence.enabled }}
          persistentVolumeClaim:
            claimName: {{ .Values.persistence.existingClaim | default (printf "%s-data" .Release.Name) }}
          {{- else }}
          emptyDir: {}
          {{- end }}
{{- end }}

{{- define "reelnotes.container" }}
          imagePullPolicy: {{ .Values.pullPolicy }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          env:
            - {name: DATA_DIR, value: /data}
            - {name: WEB_HOST, value: 0.0.0.0}
            - {name: DATABASE_URL_FILE, value: /secrets/database-url}
            - {name: REDIS_URL_FILE, value: /secrets/redis-url}
            - {name: PASSWORD_FILE, value: /secrets/password}
            {{- range $name, $text := .Values.settings }}
            - {name: {{ $name }}, value: {{ $text | quote }}}
            {{- end }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            - {name: secrets, mountPath: /secrets, readOnly: true}
            - {name: data, mountPath: /data}
{{- end }}

{{- define "reelnotes.alive" }}
          # Asks over the broker. No liveness probe does: while the broker is away nobody answers, and that
          # is no reason to end workers; one whose call hangs ends by itself.
          startupProbe:
            exec: {command: [reelnotes, alive]}
            timeoutSeconds: 30
            periodSeconds: 10
            failureThreshold: 60
          readinessProbe:
            exec: {command: [reelnotes, alive]}
            timeoutSeconds: 30
            periodSeconds: 60
{{- end }}
